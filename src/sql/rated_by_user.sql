-- Whether there is a user, and the movies that the user rated.
--
-- Parameters: user_id
-- Grain:      one row; movie ids in their order, an empty array where there are none

select
    count(users.user_id) > 0 as is_user,
    coalesce(
        array_agg(ratings.movie_id order by ratings.movie_id)
        filter (where ratings.movie_id is not null),
        '{}'
    ) as movie_ids
from users
left join ratings on users.user_id = ratings.user_id
where users.user_id = %(user_id)s
