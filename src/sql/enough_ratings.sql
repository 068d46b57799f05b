-- Whether some user has as many ratings as a split needs to leave one for the test set.
--
-- It stops at the first such user: PostgreSQL reads the key of the ratings in its order.
--
-- Parameters: at_least  ratings that one user has to have
-- Grain:      one row
-- Units:      true or false

select
    exists(
        select user_id
        from ratings
        group by user_id
        having count(*) >= %(at_least)s
    ) as is_enough
