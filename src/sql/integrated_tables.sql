-- THE split: every rating once, marked as train or test, by one of four strategies.
--
-- last_n         a user's newest n_test ratings are test. Who has no more than n_test stays in
--                train: nothing would be left to learn from. The newest n_held_back ratings of a
--                user who has more are left out before
-- leave_one_out  a user's newest rating is test; who has one alone stays in train
-- random         all ratings are put in an order by a hash of seed, user and movie, and dealt out
--                to n_folds folds as cards are: sizes differ by one at most. Fold number `fold`
--                is test, whoever the users are
-- global_time    ratings from one second on are test, those before it train. The second is the
--                beginning of split_date, or the first after the quantile of all time stamps;
--                equal time stamps are never on both sides
--
-- split_part 'validation' leaves the test ratings out and splits what was train once more, in the
-- same way. With a date the second cut is where it leaves as large a share as the first one did.
--
-- Time stamps tie, so movie_id decides among equal ones of a user; hashes might, so user_id and
-- movie_id do. All orders are total and of integers and UUIDs: the split is the same for every
-- plan, server version and collation. Each strategy is a branch of its own that the planner drops
-- unless it is the one asked for, since parameters arrive as constants.
--
-- Parameters: split           last_n, leave_one_out, random or global_time
--             split_part      test or validation
--             n_test          ratings of each user in the test set (last_n)
--             n_held_back     newest ratings of each user left out altogether (last_n)
--             n_folds         number of folds (random)
--             fold            the fold that is test, 1 to n_folds (random)
--             split_seed      seed of the folds, a text (random)
--             split_quantile  share of the ratings up to the cut (global_time)
--             split_second    cut, in seconds since the epoch (UTC), or NULL (global_time)
--             user_num        users in the sample; 0 takes all
--             user_seed       seed of the sample, a text
-- Grain:      one row a rating, ordered by user, newest first
-- Units:      rating in stars, timestamp in seconds since the epoch (UTC)

with sampled_users as (
    select user_id
    from users
    order by md5(%(user_seed)s || ':' || user_id), user_id
    limit %(user_num)s
),

kept as not materialized (
    select
        user_id,
        movie_id,
        rating,
        timestamp
    from ratings
    where
        %(user_num)s = 0
        or user_id in (select sampled_users.user_id from sampled_users)
),

newest_first as (
    select
        user_id,
        movie_id,
        rating,
        timestamp,
        row_number() over newest_first as place,
        count(*) over (partition by user_id) as n_ratings
    from kept
    window newest_first as (
        partition by user_id
        order by timestamp desc, movie_id desc
    )
),

without_held_back as (
    select
        user_id,
        movie_id,
        rating,
        timestamp,
        case
            when %(split)s = 'last_n' and n_ratings > %(n_held_back)s
                then place - %(n_held_back)s
            else place
        end as place,
        case
            when %(split)s = 'last_n' and n_ratings > %(n_held_back)s
                then n_ratings - %(n_held_back)s
            else n_ratings
        end as n_ratings,
        case when %(split)s = 'leave_one_out' then 1 else %(n_test)s end as size
    from newest_first
),

user_cut as (
    select
        user_id,
        movie_id,
        rating,
        timestamp,
        size,
        case
            when %(split_part)s = 'validation' and n_ratings > size then place - size else place
        end as place,
        case
            when %(split_part)s = 'validation' and n_ratings > size then n_ratings - size
            else n_ratings
        end as n_ratings
    from without_held_back
),

shuffled as (
    select
        user_id,
        movie_id,
        rating,
        timestamp,
        row_number() over by_hash - 1 as place
    from kept
    window by_hash as (
        order by
            md5(%(split_seed)s || ':' || user_id || ':' || movie_id)::uuid, user_id, movie_id
    )
),

dealt as (
    select
        user_id,
        movie_id,
        rating,
        timestamp,
        mod(place, %(n_folds)s) + 1 as fold,
        -- the place among the ratings of all other folds
        place - (place + %(n_folds)s - %(fold)s) / %(n_folds)s as place_in_train
    from shuffled
),

first_cut as materialized (
    select
        coalesce(
            %(split_second)s::bigint,
            percentile_disc(%(split_quantile)s) within group (order by timestamp) + 1
        ) as begins
    from kept
),

train_share as materialized (
    select
        case
            when %(split_second)s::bigint is null then %(split_quantile)s
            else avg((timestamp < (select first_cut.begins from first_cut))::int)::float
        end as train
    from kept
),

second_cut as materialized (
    select
        percentile_disc((select train_share.train from train_share)) within group (
            order by timestamp
        ) + 1 as begins
    from kept
    where timestamp < (select first_cut.begins from first_cut)
),

-- the order of the first branch is that of the index, which spares the sort at the end
split as (
    (
        select
            user_id,
            movie_id,
            rating::real as rating,
            timestamp,
            place <= size and n_ratings > size as is_test
        from user_cut
        where %(split)s in ('last_n', 'leave_one_out') and place > 0
        order by user_id asc, timestamp desc, movie_id desc
    )
    union all
    select
        user_id,
        movie_id,
        rating::real as rating,
        timestamp,
        case
            when %(split_part)s = 'test' then fold = %(fold)s
            else mod(place_in_train, %(n_folds)s) + 1 = %(fold)s
        end as is_test
    from dealt
    where %(split)s = 'random' and (%(split_part)s = 'test' or fold <> %(fold)s)
    union all
    select
        user_id,
        movie_id,
        rating::real as rating,
        timestamp,
        case
            when %(split_part)s = 'test'
                then timestamp >= (select first_cut.begins from first_cut)
            else timestamp >= (select second_cut.begins from second_cut)
        end as is_test
    from kept
    where
        %(split)s = 'global_time'
        and (
            %(split_part)s = 'test'
            or timestamp < (select first_cut.begins from first_cut)
        )
)

select
    user_id,
    movie_id,
    rating,
    timestamp,
    is_test
from split
order by user_id asc, timestamp desc, movie_id desc
