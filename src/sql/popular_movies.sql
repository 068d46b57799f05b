-- The movies that most users like, without those that one user rated.
--
-- Parameters: minimum_rating  stars from which a rating counts as liked
--             user_id         whose rated movies are left out; need not be there
--             k               how many movies
-- Grain:      one row a movie, most liked first, equals by id
-- Units:      n_likes is a number of users

with liked as (
    select
        movie_id,
        count(*) as n_likes
    from ratings
    where rating >= %(minimum_rating)s
    group by movie_id
),

rated as (
    select movie_id
    from ratings
    where user_id = %(user_id)s
)

select
    movies.movie_id,
    movies.title,
    movies.year,
    movies.genres,
    liked.n_likes
from liked
inner join movies on liked.movie_id = movies.movie_id
where movies.movie_id not in (select rated.movie_id from rated)
order by liked.n_likes desc, movies.movie_id asc
limit %(k)s
